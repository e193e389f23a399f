import { type AddressInfo, createServer } from "node:net";
import { createLogger } from "@rhone/common";
import { Authority, EnrollmentServer, formatToken } from "@rhone/identity";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "../../testing/temporary-folder.js";

/** A cluster as a joiner sees it: where it is admitted, and a port that listens as a coordinator's. */
export async function testDoor() {
  const coordinatorPort = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => coordinatorPort.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void coordinatorPort.close());
  const coordinator = `127.0.0.1:${(coordinatorPort.address() as AddressInfo).port}`;
  const authority = await Authority.open(await temporaryFolder());
  const server = await EnrollmentServer.open({
    authority,
    host: "127.0.0.1",
    port: 0,
    places: () => ({ coordinator }),
    logger: createLogger({ service: "test", level: "silent" }),
  });
  onTestFinished(() => server.close());
  const newToken = async (ttlMs = 60_000) => {
    const { token, secret } = await authority.tokens.create({ role: "worker", uses: 1, ttlMs });
    return formatToken({ authority: authority.hash, id: token.id, secret });
  };
  return { authority, server, coordinator, door: `127.0.0.1:${server.port}`, newToken };
}
