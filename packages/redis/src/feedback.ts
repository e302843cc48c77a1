/**
 * Grades of answers and their running means, for several processes: `Feedback` on Redis.
 *
 * Where Redis fails, a choice is made without grades and a grade is lost: both are logged, and no call fails.
 *
 * @since 0.1.0
 */
import type { ModelReference } from "@interlock/model"
import { Feedback, FeedbackError } from "@interlock/stages/Feedback"
import { Duration, Effect, Layer } from "effect"
import { RedisConnection } from "./connection.ts"
import { sentence } from "./internal/failure.ts"
import * as Script from "./internal/script.ts"

/** KEYS: the call. ARGV: the model that answered it. */
const answeredScript = Script.make(`
local call = redis.call('GET', KEYS[1])
if not call then return 0 end
redis.call('SET', KEYS[1], cjson.encode({ARGV[1], cjson.decode(call)[2]}), 'KEEPTTL')
return 1`)

/** KEYS: the grades. ARGV: the grade, then the fields to count it under. */
const countScript = Script.make(`
for index = 2, #ARGV do
  redis.call('HINCRBY', KEYS[1], 'count ' .. ARGV[index], 1)
  redis.call('HINCRBYFLOAT', KEYS[1], 'sum ' .. ARGV[index], ARGV[1])
end
return 1`)

/**
 * Keeps grades on Redis, under keys that begin with `interlock:feedback:` and the name. Needs `RedisConnection`. A call can be
 * graded for `remembered` (7 days when left out).
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly name?: string; readonly remembered?: Duration.Input } = {}
): Layer.Layer<Feedback, never, RedisConnection> =>
  Layer.effect(
    Feedback,
    Effect.gen(function* () {
      const { client } = yield* RedisConnection
      const prefix = `interlock:feedback:${encodeURIComponent(options.name ?? "interlock")}`
      const gradesKey = `${prefix}:grades`
      const callKey = (callId: string) => `${prefix}:call:${callId}`
      const remembered = Math.max(1, Duration.toMillis(Duration.fromInputUnsafe(options.remembered ?? "7 days")))
      const fieldOf = (model: string, label: string | undefined) => JSON.stringify([model, label ?? null])
      const nameOf = ({ model, provider }: ModelReference) => JSON.stringify([provider, model])
      const orElse = <A>(run: () => Promise<A>, otherwise: A): Effect.Effect<A> =>
        Effect.catch(Effect.tryPromise({ try: run, catch: (cause) => sentence("feedback", cause) }), (message) =>
          Effect.as(Effect.logWarning(message), otherwise)
        )
      return Feedback.of({
        remember: (callId, label, model) =>
          Effect.asVoid(
            orElse<unknown>(
              () => client.set(callKey(callId), JSON.stringify([nameOf(model), label]), "PX", Math.floor(remembered)),
              undefined
            )
          ),
        answered: (callId, model) =>
          Effect.asVoid(
            orElse<unknown>(() => Script.run(client, answeredScript, [callKey(callId)], [nameOf(model)]), undefined)
          ),
        report: Effect.fnUntraced(function* (callId, quality) {
          if (!(quality >= 0 && quality <= 1)) {
            return yield* new FeedbackError({
              reason: "InvalidQuality",
              message: `A grade is a number from 0 to 1; call ${callId} was given ${quality}.`
            })
          }
          const failed = Symbol()
          const call = yield* orElse<string | null | typeof failed>(() => client.getdel(callKey(callId)), failed)
          if (call === failed) return
          if (call === null) {
            return yield* new FeedbackError({
              reason: "UnknownCall",
              message: `There is no call ${callId} to grade: it was graded before, or forgotten. Provide Feedback.CallId around the call, and grade it once.`
            })
          }
          const [model, label] = JSON.parse(call) as [string, string]
          yield* orElse(
            () =>
              Script.run(
                client,
                countScript,
                [gradesKey],
                [`${quality}`, fieldOf(model, label), fieldOf(model, undefined)]
              ),
            undefined
          )
        }),
        grades: (model, label) =>
          Effect.map(
            orElse(() => {
              const field = fieldOf(nameOf(model), label)
              return client.hmget(gradesKey, `count ${field}`, `sum ${field}`)
            }, []),
            ([count, sum]) => {
              const grades = Number(count ?? 0)
              return { count: grades, mean: grades === 0 ? 0 : Number(sum) / grades }
            }
          )
      })
    })
  )
