const { Collector } = await import("@interlock/collector")
void Collector
const last = ""
const g = (globalThis as any).gc
const orig = process.stdout.write.bind(process.stdout)
setInterval(() => {}, 1e9).unref()
const { run } = await import("./bench/collector.ts")
const t = setInterval(() => {
  g()
  const m = process.memoryUsage()
  orig(
    `heap ${(m.heapUsed / 1e6).toFixed(0)} ext ${(m.external / 1e6).toFixed(0)} ab ${(m.arrayBuffers / 1e6).toFixed(0)} rss ${(m.rss / 1e6).toFixed(0)}\n`
  )
}, 2500)
await run(["--child", "40000", "--survives", "process"])
clearInterval(t)
