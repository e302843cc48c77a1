/** Makes the documents and the questions of `facts.ts`: `node examples/fusion/questions/write.ts`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { type Fact, facts } from "./facts.ts"

/** What each of the three has read: the archive an older edition of everything, the others two topics each as they are now. */
const shelves: { readonly [member: string]: (fact: Fact) => string | undefined } = {
  archive: ({ before, says }) => before ?? says,
  harbour: ({ says, topic }) => (topic === "ferries" || topic === "harbour" ? says : undefined),
  museum: ({ says, topic }) => (topic === "museum" || topic === "town" ? says : undefined)
}

/** By path. */
export const files = (): { readonly [path: string]: string } => {
  const made: Record<string, string> = {}
  for (const [member, saying] of Object.entries(shelves)) {
    for (const topic of new Set(facts.map((fact) => fact.topic))) {
      const sections = new Map<string, Array<string>>()
      for (const fact of facts) {
        const says = fact.topic === topic ? saying(fact) : undefined
        if (says !== undefined) sections.set(fact.heading, [...(sections.get(fact.heading) ?? []), says])
      }
      if (sections.size === 0) continue
      const text = [...sections].map(([heading, said]) => `## ${heading}\n\n${said.join("\n")}`).join("\n\n")
      made[`knowledge/${member}/${topic}.md`] = `# Port Selwyn: ${topic}\n\n${text}\n`
    }
  }
  made["questions.jsonl"] = facts
    .map(({ answer, question, topic }, at) =>
      JSON.stringify({ id: `${topic}-${at + 1}`, prompt: question, says: [answer] })
    )
    .join("\n")
    .concat("\n")
  return made
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(files())) {
    const file = join(resolve(import.meta.dirname, ".."), path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}
