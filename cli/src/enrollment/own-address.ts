import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect, isIP, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { isEveryInterface, RhoneError } from "@rhone/common";

const PROBE_MS = 3000;

/** Where a process listens for other machines, and the name by which they reach it. */
export interface ListenPlace {
  readonly bind: string;
  readonly advertise: string;
}

/**
 * Where to listen when a user says `asked`: an address or name of this machine, every interface (0.0.0.0, ::), or
 * nothing (true). An address is then found: the one by which this machine reaches others. A name or address that is not
 * this machine's own, as behind a router that forwards ports, is told to others and listened for on every interface.
 * Throws INVALID_CONFIG when there is none.
 */
export async function listenPlace(asked: string | true): Promise<ListenPlace> {
  if (asked === true) {
    const found = await foundAddress(4).then((address) => address ?? foundAddress(6));
    return { bind: found ?? noAddress(), advertise: found ?? noAddress() };
  }
  if (isEveryInterface(asked)) {
    const found = await foundAddress(isIPv6(asked) ? 6 : 4);
    return { bind: asked, advertise: found ?? noAddress() };
  }
  const address = isIP(asked) === 0 ? await addressOf(asked) : asked;
  const every = isIPv6(address) ? "::" : "0.0.0.0";
  return { bind: ownAddresses().includes(address) ? address : every, advertise: asked };
}

/** This machine's address in a connection to host:port, by which that machine reaches it. Throws UNREACHABLE. */
export function addressTowards(host: string, port: number, withinMs = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (why: string): void => {
      socket.destroy();
      const open = `TCP port ${port} of ${host} must be open to this machine`;
      reject(new RhoneError("UNREACHABLE", `${host} does not answer at port ${port} (${why}): ${open}.`));
    };
    socket.setTimeout(withinMs, () => fail(`no answer within ${withinMs / 1000} s`));
    socket.once("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once("connect", () => {
      const { localAddress = "" } = socket;
      socket.destroy();
      resolve(localAddress.replace(/^::ffff:/, ""));
    });
  });
}

/**
 * Where this machine listens for the others: at the address that it has in its connection to `peer` (host:port), unless
 * one is named. Throws UNREACHABLE when the peer does not answer.
 */
export async function placeTowards(peer: string, advertise: string | undefined): Promise<ListenPlace> {
  if (advertise !== undefined) return listenPlace(advertise);
  const { host, port } = splitHostPort(peer);
  const address = await addressTowards(host, port);
  return { bind: address, advertise: address };
}

/** Why this machine can't connect to host:port, with what to open there; null: it can. */
export async function whyOutOfReach(address: string): Promise<string | null> {
  const { host, port } = splitHostPort(address);
  return addressTowards(host, port, PROBE_MS).then(
    () => null,
    ({ message }: RhoneError) => message.replace("this machine", "the cluster's machines"),
  );
}

/** Of an IPv6 address without its brackets. */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/** The address by which packets leave for other networks, else the first of any interface; null when there is none. */
async function foundAddress(family: 4 | 6): Promise<string | null> {
  // Reserved for documentation: connecting a datagram socket sends nothing, and has the system choose a route.
  const elsewhere = family === 4 ? "192.0.2.1" : "2001:db8::1";
  const routed = await new Promise<string | null>((resolve) => {
    const socket = createSocket(family === 4 ? "udp4" : "udp6");
    const end = (address: string | null): void => {
      socket.close();
      resolve(address);
    };
    socket.once("error", () => end(null));
    socket.connect(9, elsewhere, () => end(socket.address().address));
  });
  const own = ownAddresses().filter((address) => isIP(address) === family);
  return routed !== null && own.includes(routed) ? routed : (own[0] ?? null);
}

/** Of this machine's interfaces but the loopback; link-local addresses are left out. */
export function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const reachable = all.filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address));
  return reachable.map(({ address }) => address);
}

async function addressOf(name: string): Promise<string> {
  try {
    return (await lookup(name)).address;
  } catch (cause) {
    throw new RhoneError("INVALID_CONFIG", `The host name ${name} is not known on this machine.`, { cause });
  }
}

function noAddress(): never {
  throw new RhoneError(
    "INVALID_CONFIG",
    "This machine has no address but the loopback's, so that others can't reach it. Connect it to a network, or name " +
      "the address: --listen HOST",
  );
}
