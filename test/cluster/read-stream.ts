import type { RunningCluster } from "./start-cluster.js";

/** The chunks of a streamed answer. Throws unless it ends with [DONE]. */
export async function readStream(cluster: RunningCluster, path: string, body: object): Promise<readonly unknown[]> {
  const response = await cluster.post(path, { ...body, stream: true });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  const events = text.split("\n\n").filter((event) => event !== "");
  if (events.pop() !== "data: [DONE]") throw new Error(`${path} did not end with [DONE]: ${text.slice(-300)}`);
  return events.map((event) => JSON.parse(event.replace(/^(id: .*\n)?data: /, "")) as unknown);
}
