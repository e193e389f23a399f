import { randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { Host } from "./host.js";
import { ETC, ip, ipBatch, removeNetwork, sweepNetworks } from "./leftovers.js";

/** A neighbour at this Ethernet address does not exist, so that frames to it are lost, as in a cable that was cut. */
const NOWHERE = "02:00:00:00:00:00";
/** Of 198.18.0.0/15, which RFC 2544 keeps for measurements of networks: no real network is hidden. */
const subnet = (third: number): string => `198.18.${third}`;
const FIRST_HOST = 11;

let made = 0;

export interface NetworkOptions {
  /** The process whose end makes the network a leftover, which the next network removes; this one by default. */
  readonly owner?: number;
}

/**
 * Hosts that share nothing but a switch: each is a network namespace with a loopback, an address, a host name,
 * processes and a folder of its own. This process is on the network, too, at `address`, as a client is.
 *
 * Namespaces are named rh-PID-N-HOST, and everything else alike, with the pid of the owner.
 */
export class Network<Name extends string = string> {
  readonly hosts: Readonly<Record<Name, Host>>;
  /** This process's own. */
  readonly address: string;
  /** Has the hosts' folders. */
  readonly folder: string;
  /** With which the names of all that belongs to it begin. */
  readonly id: string;

  private constructor(place: Pick<Network, "id" | "address" | "folder">, hosts: Readonly<Record<Name, Host>>) {
    this.id = place.id;
    this.address = place.address;
    this.folder = place.folder;
    this.hosts = hosts;
  }

  /** Sweeps leftovers first. Names have at most ten letters. Throws what `ip` says when namespaces are not allowed. */
  static open<Name extends string>(
    names: readonly Name[],
    { owner = process.pid }: NetworkOptions = {},
  ): Network<Name> {
    sweepNetworks();
    const id = `rh-${owner}-${made++}`;
    try {
      const net = freeSubnet();
      const folder = mkdtempSync(join(tmpdir(), `${id}-`));
      const hub = `${id}-switch`;
      ip("netns", "add", hub);
      ip("link", "add", "name", id, "type", "veth", "peer", "name", "tests", "netns", hub);
      ip("address", "add", `${net}.1/24`, "dev", id);
      ip("link", "set", "dev", id, "up");
      ipBatch(hub, ["link add switch type bridge", "link set switch up", "link set tests master switch up"]);
      const known = names.map((name, index) => `${net}.${FIRST_HOST + index} ${name}`);
      const hosts = names.map((name, index) => {
        const address = `${net}.${FIRST_HOST + index}`;
        connect(`${id}-${name}`, { name, address, hub, known });
        const place = { network: folder, siblings: names.filter((other) => other !== name) };
        return [name, new Host({ name, address, namespace: `${id}-${name}`, hub, ...place })] as const;
      });
      return new Network({ id, address: `${net}.1`, folder }, Object.fromEntries(hosts) as Record<Name, Host>);
    } catch (error) {
      removeNetwork(id);
      throw error;
    }
  }

  /** Frames from either of two hosts to the other are lost, without a word, until `heal`. Others reach both. */
  partition(one: Host, other: Host): void {
    for (const [from, to] of bothWays(one, other)) cut(from, to);
  }

  heal(one: Host, other: Host): void {
    for (const [from, to] of bothWays(one, other)) mend(from, to);
  }

  /** Kills all processes of the hosts and removes everything that `open` made. */
  close(): void {
    removeNetwork(this.id);
  }
}

/** Frames from a host to another one are lost, without a word, until `mend`; those from there arrive. */
export function cut(from: Host, to: Host): void {
  ip("-n", from.namespace, "neigh", "replace", to.address, "lladdr", NOWHERE, "dev", "eth0", "nud", "permanent");
}

export function mend(from: Host, to: Host): void {
  ip("-n", from.namespace, "neigh", "delete", to.address, "dev", "eth0");
}

const bothWays = (one: Host, other: Host): readonly (readonly [Host, Host])[] => [
  [one, other],
  [other, one],
];

/** Makes a host and its cable to the switch, whose port has the host's name. */
function connect(
  namespace: string,
  host: { readonly name: string; readonly address: string; readonly hub: string; readonly known: readonly string[] },
): void {
  const { name, address, hub, known } = host;
  ip("netns", "add", namespace);
  mkdirSync(join(ETC, namespace), { recursive: true });
  writeFileSync(join(ETC, namespace, "hosts"), ["127.0.0.1 localhost", ...known, ""].join("\n"));
  ip("-n", hub, "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  ip("-n", hub, "link", "set", "dev", name, "master", "switch", "up");
  const multicast = "route add 224.0.0.0/4 dev eth0";
  ipBatch(namespace, ["link set lo up", `address add ${address}/24 dev eth0`, "link set eth0 up", multicast]);
}

/** The first three numbers of a network that no interface of this machine is in; any of them, as others look, too. */
function freeSubnet(): string {
  const from = randomInt(256);
  const taken = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const free = Array.from({ length: 256 }, (_, index) => subnet((from + index) % 256)).find(
    (net) => !taken.some((address) => address.startsWith(`${net}.`)),
  );
  if (free === undefined) throw new Error("every network of 198.18.0.0/16 is in use on this machine");
  return free;
}
