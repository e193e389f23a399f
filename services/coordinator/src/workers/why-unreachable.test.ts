import { type AddressInfo, createServer } from "node:net";
import { flowHandler, GrpcServer, openSecurity, pipelineService, type Security } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { TestAuthority } from "../../../../packages/common/src/testing/test-authority.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { whyUnreachable } from "./why-unreachable.js";

/** A worker's server, known by `security`. */
async function listen(security: Security): Promise<string> {
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security }, (services) => {
    services.addService(pipelineService, { flow: flowHandler(() => ({ accept: () => {} })) });
  });
  onTestFinished(() => server.close());
  return `127.0.0.1:${server.port}`;
}

test("a worker that answers at its address is reached", async () => {
  const address = await listen(PLAINTEXT);
  expect(await whyUnreachable({ worker: "w", address, security: PLAINTEXT })).toBeNull();
});

test("a closed port is named, with its host and what to open", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect(await whyUnreachable({ worker: "w", address: `127.0.0.1:${port}`, security: PLAINTEXT })).toMatchObject({
    code: "UNREACHABLE",
    message:
      `Worker w says that it is reached at 127.0.0.1:${port}, but the coordinator can't connect there: the connection ` +
      `is refused. Open TCP port ${port} of 127.0.0.1 to the cluster's machines, or name another address of it ` +
      "(--advertise, RHONE_ADVERTISE_HOST).",
  });
});

test("a host that is not known here is named", async () => {
  const refusal = await whyUnreachable({ worker: "w", address: "no-such-host.invalid:7200", security: PLAINTEXT });
  expect(refusal?.message).toMatch(/the host name is not known here\. Open TCP port 7200 of no-such-host\.invalid/);
});

test("another worker at that address is not taken for it", async () => {
  const authority = new TestAuthority();
  onTestFinished(() => authority.close());
  const [mine, other] = (["coordinator", "worker"] as const).map((role) => {
    const security = openSecurity(authority.issue({ role, name: "b" }));
    onTestFinished(() => security.close());
    return security;
  });
  if (mine === undefined || other === undefined) throw new Error("there are two");
  const address = await listen(other);
  expect(await whyUnreachable({ worker: "b", address, security: mine })).toBeNull();
  const refusal = await whyUnreachable({ worker: "c", address, security: mine, withinMs: 500 });
  expect(refusal?.message).toMatch(/what answers there is not this worker.*Lead TCP port/);
});
