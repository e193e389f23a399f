import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIPv4 } from "node:net";
import { type Answer, decode, encode, type Packet, type TxtAnswer } from "dns-packet";
import { ownAddresses } from "./own-address.js";

// Multicast DNS (RFC 6762) with service discovery (RFC 6763), as far as finding a cluster on the local network needs
// it: one question for a service type, whose answers come back to the port that asked.

const SERVICE = "_rhone._tcp.local";
const GROUP: Place = { host: "224.0.0.251", port: 5353 };
const TTL_S = 120;
/** Answers in a second, at most: who asks need not be who gets the answer. */
const MOST_ANSWERS = 20;
const ASK_EVERY_MS = 700;

interface Place {
  readonly host: string;
  readonly port: number;
}

/** A cluster that admits machines, as it says itself: the token tells whether it is the right one. */
export interface FoundDoor {
  /** host:port */
  readonly address: string;
  /** First 16 digits of its authority's hash. */
  readonly cluster: string;
}

export interface AnnounceOptions extends FoundDoor {
  /** Name of this machine. */
  readonly name: string;
  /** Called at most once, when machines can't find the cluster: they join by its address all the same. */
  readonly onSilent: (why: string) => void;
  readonly at?: Place;
}

/** Answers machines on the local network that look for clusters, until the function that it returns is called. */
export function announceDoor({ name, address, cluster, onSilent, at = GROUP }: AnnounceOptions): () => void {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    clearInterval(refill);
    socket.close();
  };
  let left = MOST_ANSWERS;
  const refill = setInterval(() => {
    left = MOST_ANSWERS;
  }, 1000).unref();
  socket.once("error", ({ message }) => {
    if (!isOpen) return;
    close();
    onSilent(message);
  });
  socket.on("message", (message, from) => {
    const question = readPacket(message);
    if (question === null || !asksForClusters(question) || left === 0 || !isOpen) return;
    left--;
    reply(socket, { packet: answerTo(question, { name, address, cluster }), from, at });
  });
  socket.bind(at.port, () => {
    if (at.host === GROUP.host && isOpen) joinGroup(socket, onSilent);
  });
  socket.unref();
  return close;
}

const own4 = (): readonly string[] => ownAddresses().filter((address) => isIPv4(address));

/** An interface without multicast is left out. */
function joinGroup(socket: Socket, onSilent: (why: string) => void): void {
  const joined = own4().filter((address) => {
    try {
      socket.addMembership(GROUP.host, address);
      return true;
    } catch {
      return false;
    }
  });
  if (joined.length === 0) onSilent("no interface of this machine has multicast");
}

/** To the port that asked, if it is no responder's; else to all. */
function reply(
  socket: Socket,
  { packet, from, at }: { readonly packet: Packet; readonly from: RemoteInfo; readonly at: Place },
): void {
  const [port, host] = from.port === GROUP.port ? [at.port, at.host] : [from.port, from.address];
  socket.send(encode(packet), port, host, () => {}); // who asked asks again
}

/** The clusters that answer within `withinMs`, each once; ends early when `isEnough`. */
export async function findDoors(options: {
  readonly withinMs: number;
  readonly isEnough?: (door: FoundDoor) => boolean;
  readonly signal?: AbortSignal;
  readonly at?: Place;
}): Promise<readonly FoundDoor[]> {
  const { withinMs, isEnough = () => false, signal, at = GROUP } = options;
  const found = new Map<string, FoundDoor>();
  const sockets = at.host === GROUP.host ? own4().map(questionSocket) : [createSocket("udp4").bind(0)];
  const question = encode({ type: "query", id: 0, questions: [{ type: "PTR", name: SERVICE }] });
  await new Promise<void>((resolve) => {
    const ask = (): void => {
      for (const socket of sockets) socket.send(question, at.port, at.host, () => {});
    };
    const asking = setInterval(ask, ASK_EVERY_MS);
    const end = (): void => {
      clearInterval(asking);
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, withinMs);
    if (signal?.aborted) return end();
    signal?.addEventListener("abort", end, { once: true });
    for (const socket of sockets) {
      socket.on("error", () => {}); // an interface that can't be asked
      socket.on("message", (message) => {
        for (const door of doorsIn(readPacket(message))) {
          found.set(door.address, door);
          if (isEnough(door)) end();
        }
      });
    }
    ask();
  });
  for (const socket of sockets) socket.close();
  signal?.throwIfAborted();
  return [...found.values()];
}

/** A socket whose multicasts leave by the interface with this address. */
function questionSocket(address: string): Socket {
  const socket = createSocket("udp4");
  socket.bind({ address, port: 0 }, () => {
    try {
      socket.setMulticastInterface(address);
    } catch {
      // an interface without multicast asks nobody
    }
  });
  return socket;
}

function readPacket(message: Buffer): Packet | null {
  try {
    return decode(message);
  } catch {
    return null;
  }
}

const asksForClusters = ({ type, questions = [] }: Packet): boolean =>
  type === "query" && questions.some(({ type: asked, name }) => asked === "PTR" && name.toLowerCase() === SERVICE);

function answerTo({ id, questions }: Packet, door: FoundDoor & { readonly name: string }): Packet {
  const instance = `${door.name}.${SERVICE}`;
  const [, host = "", port = "0"] = /^(.*):(\d+)$/.exec(door.address) ?? [];
  const target = host.replace(/^\[(.*)\]$/, "$1");
  const facts = [`door=${door.address}`, `cluster=${door.cluster}`];
  const additionals: Answer[] = [
    { type: "SRV", name: instance, ttl: TTL_S, data: { target, port: Number(port), priority: 0, weight: 0 } },
    { type: "TXT", name: instance, ttl: TTL_S, data: facts },
  ];
  return {
    type: "response",
    id: id ?? 0,
    questions: questions ?? [],
    answers: [{ type: "PTR", name: SERVICE, ttl: TTL_S, data: instance }],
    additionals,
  };
}

/** What a packet of anybody says, if it has the form. */
function doorsIn(packet: Packet | null): readonly FoundDoor[] {
  if (packet === null || packet.type !== "response") return [];
  const texts = [...(packet.answers ?? []), ...(packet.additionals ?? [])].filter(
    (answer): answer is TxtAnswer => answer.type === "TXT" && answer.name.toLowerCase().endsWith(SERVICE),
  );
  return texts.flatMap(({ data }) => {
    const facts = Object.fromEntries(
      (Array.isArray(data) ? data : [data]).map((fact) => {
        const text = fact.toString();
        const at = text.indexOf("=");
        return [text.slice(0, at), text.slice(at + 1)];
      }),
    );
    const { door, cluster } = facts;
    const isWhole = /^\S{3,260}:\d{1,5}$/.test(door ?? "") && /^[0-9a-f]{16}$/.test(cluster ?? "");
    return isWhole && door !== undefined && cluster !== undefined ? [{ address: door, cluster }] : [];
  });
}
