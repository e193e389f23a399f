/** One reading of the counters and gauges at `operations` (host:port): the sum over the labels of the metric `name`. */
export async function readMetric(operations: string, name: string): Promise<number> {
  const page = await (await fetch(`http://${operations}/metrics`)).text();
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))].map(([, value]) =>
    Number(value),
  );
  return values.reduce((sum, value) => sum + value, 0);
}
