import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ip, ipBatch } from "@rhone/bench";

const RELAY = fileURLToPath(new URL("./relay.mjs", import.meta.url));

/** What a cable does to each frame, in both directions. */
export interface Wire {
  /** How much later a frame arrives, in milliseconds: a round trip takes twice as much. */
  readonly delayMs?: number;
  /** Share of frames that are lost, 0 to 1. */
  readonly loss?: number;
  readonly bytesPerS?: number;
}

interface Cable {
  /** The port at the switch. */
  readonly name: string;
  readonly namespace: string;
  readonly hub: string;
}

/**
 * Shapes one host's cable: by netem at both of its ends where the kernel has it, else by a relay between the host's
 * port and the switch. The port is moved to a bridge of its own, and the relay carries frames between a tap there and a
 * tap at the switch. Addresses and connections do not change.
 */
export class WireShaper {
  readonly #cable: Cable;
  #relay: ChildProcess | null = null;

  constructor(cable: Cable) {
    this.#cable = cable;
  }

  async shape(wire: Wire | null): Promise<void> {
    if (this.#relay === null && this.#byNetem(wire)) return;
    if (wire === null) return this.#removeRelay();
    this.#relay ??= this.#startRelay();
    await tell(this.#relay, wire);
    // Only now, when the relay passes frames on.
    ip("-n", this.#cable.hub, "link", "set", "dev", this.#cable.name, "master", this.#names.bridge);
  }

  /** False on a kernel without netem. */
  #byNetem(wire: Wire | null): boolean {
    const { name, namespace: own, hub } = this.#cable;
    const ends = [
      { namespace: own, device: "eth0" },
      { namespace: hub, device: name },
    ];
    const [verb, discipline] = wire === null ? ["delete", []] : ["replace", netem(wire)];
    try {
      for (const { namespace, device } of ends) {
        const command = ["-n", namespace, "qdisc", verb, "dev", device, "root", ...discipline];
        execFileSync("tc", command, { stdio: "pipe" });
      }
      return true;
    } catch {
      return false;
    }
  }

  get #names() {
    const { name } = this.#cable;
    return { bridge: `own-${name}`, near: `near-${name}`, far: `far-${name}` };
  }

  #startRelay(): ChildProcess {
    const { hub } = this.#cable;
    const { bridge, near, far } = this.#names;
    ipBatch(hub, [
      `link add name ${bridge} type bridge`,
      `link set dev ${bridge} up`,
      `tuntap add dev ${near} mode tap`,
      `tuntap add dev ${far} mode tap`,
      `link set dev ${near} master ${bridge} up`,
      `link set dev ${far} master switch up`,
    ]);
    const args = ["netns", "exec", hub, process.execPath, RELAY, near, far];
    return spawn("ip", args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  async #removeRelay(): Promise<void> {
    const { hub, name } = this.#cable;
    const { bridge, near, far } = this.#names;
    const relay = this.#relay;
    if (relay === null) return;
    this.#relay = null;
    ip("-n", hub, "link", "set", "dev", name, "master", "switch");
    const ended = once(relay, "exit");
    relay.kill("SIGKILL");
    await ended;
    ipBatch(
      hub,
      [near, far, bridge].map((link) => `link delete dev ${link}`),
    );
  }
}

/** Resolves when the relay does what `wire` says. */
function tell(relay: ChildProcess, wire: Wire): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error("the relay of a cable ended"));
    relay.once("exit", ended);
    relay.once("message", () => {
      relay.off("exit", ended);
      resolve();
    });
    relay.send(wire);
  });
}

/** The limit is the queue's, in frames: a second's worth at 10 Gbit/s. */
function netem({ delayMs = 0, loss = 0, bytesPerS }: Wire): readonly string[] {
  const rate = bytesPerS === undefined ? [] : ["rate", `${8 * bytesPerS}bit`];
  return ["netem", "limit", "1000000", "delay", `${delayMs}ms`, "loss", `${100 * loss}%`, ...rate];
}
