import { X509Certificate } from "node:crypto";
import { createLogger, type Places } from "@rhone/common";
import { enroll, identityFiles, parseToken, readIdentity } from "@rhone/identity";
import { expect, onTestFinished, test } from "vitest";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { Door, hostName } from "./door.js";

const PLACES: Places = {
  pipelines: [{ model: "m", coordinator: "10.0.0.1:7110", workers: 1 }],
  hasTemplateFile: false,
};

async function openDoor() {
  const dataDir = await freshDataDir();
  const logger = createLogger({ service: "test", level: "silent" });
  const door = await Door.open({ dataDir, listen: "127.0.0.1", port: 0, places: async () => PLACES, logger });
  onTestFinished(() => door.close());
  return { door, dataDir };
}

test("the command that it prints admits machines, and tells them where the pipelines are", async () => {
  const { door } = await openDoor();
  const { command, admits } = await door.invite();
  const [, address = "", token = ""] = /^rhone join (\S+) (\S+)$/.exec(command) ?? [];
  expect(address).toBe(door.address);
  expect(admits).toBe(`token ${parseToken(token).id}: 10 machines within 30 minutes`);
  for (const name of ["b-1", "c-1"]) {
    const files = identityFiles(await temporaryFolder(), "worker", name);
    expect(await enroll({ address, role: "worker", name, files }, token)).toEqual(PLACES);
  }
});

test("its own processes have identities, for their host and role", async () => {
  const { door } = await openDoor();
  const files = await door.identity("worker", "-2");
  const { certificate = "" } = (await readIdentity(files)) ?? {};
  const { subjectAltName } = new X509Certificate(certificate);
  expect(subjectAltName).toMatch(
    new RegExp(`URI:spiffe://rhone-[0-9a-f]{16}/worker/${hostName()}-2, IP Address:127.0.0.1`),
  );
});

test.each([
  ["Attic.LOCAL", "attic.local"],
  ["my_machine!", "my-machine"],
  ["***", "machine"],
])("the host %s is called %s", (host, name) => expect(hostName(host)).toBe(name));
