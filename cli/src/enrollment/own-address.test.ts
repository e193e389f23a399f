import { type AddressInfo, createServer, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { addressTowards, listenPlace, whyOutOfReach } from "./own-address.js";

const own = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ internal, address }) => !internal && isIP(address) === 4)
  .map(({ address }) => address);

test.skipIf(own.length === 0)("finds an address of this machine, and listens on it alone", async () => {
  const { bind, advertise } = await listenPlace(true);
  expect(own).toContain(advertise);
  expect(bind).toBe(advertise);
  expect(await listenPlace("0.0.0.0")).toEqual({ bind: "0.0.0.0", advertise });
  expect(await listenPlace(advertise)).toEqual({ bind: advertise, advertise });
});

test("listens everywhere for an address that is not this machine's, as behind a router", async () => {
  expect(await listenPlace("192.0.2.7")).toEqual({ bind: "0.0.0.0", advertise: "192.0.2.7" });
  expect(await listenPlace("2001:db8::7")).toEqual({ bind: "::", advertise: "2001:db8::7" });
});

test("refuses a name that is not known", async () => {
  await expect(listenPlace("no-such-host.invalid")).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining("no-such-host.invalid"),
  });
});

test("tells this machine's address in a connection, and which port is closed", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  expect(await addressTowards("127.0.0.1", port)).toBe("127.0.0.1");
  expect(await whyOutOfReach(`127.0.0.1:${port}`)).toBeNull();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await expect(addressTowards("127.0.0.1", port)).rejects.toMatchObject({
    code: "UNREACHABLE",
    message: `127.0.0.1 does not answer at port ${port} (ECONNREFUSED): TCP port ${port} of 127.0.0.1 must be open to this machine.`,
  });
  expect(await whyOutOfReach(`127.0.0.1:${port}`)).toBe(
    `127.0.0.1 does not answer at port ${port} (ECONNREFUSED): TCP port ${port} of 127.0.0.1 must be open to the cluster's machines.`,
  );
});
