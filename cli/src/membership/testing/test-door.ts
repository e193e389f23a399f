import { type AddressInfo, createServer } from "node:net";
import { createLogger, type JoinablePipeline, type Places } from "@rhone/common";
import { Authority, EnrollmentServer, formatToken, type MemberRole } from "@rhone/identity";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "../../testing/temporary-folder.js";

/**
 * A cluster as a joiner sees it: where it is admitted, and a port that listens as a coordinator's. `problem`: why other
 * coordinators are out of reach.
 */
export async function testDoor(more: readonly JoinablePipeline[] = [], problem: string | null = null) {
  const coordinatorPort = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => coordinatorPort.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void coordinatorPort.close());
  const coordinator = `127.0.0.1:${(coordinatorPort.address() as AddressInfo).port}`;
  const pipelines = [{ model: "m", coordinator, workers: 1 }, ...more];
  const places: Places = { pipelines, redis: `rhone://${coordinator}`, hasTemplateFile: false };
  const authority = await Authority.open(await temporaryFolder());
  const server = await EnrollmentServer.open({
    authority,
    host: "127.0.0.1",
    port: 0,
    places: async () => places,
    probe: async () => problem,
    logger: createLogger({ service: "test", level: "silent" }),
  });
  onTestFinished(() => server.close());
  const newToken = async (ttlMs = 60_000, role: MemberRole = "worker") => {
    const { token, secret } = await authority.tokens.create({ role, uses: 1, ttlMs });
    return formatToken({ authority: authority.hash, id: token.id, secret });
  };
  return { authority, server, coordinator, places, door: `127.0.0.1:${server.port}`, newToken };
}
