import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ip, killAll } from "./leftovers.js";

/**
 * Runs in the folder of the network, with the host's name, the others' folders, and the command. `ip netns exec` has
 * made a mount namespace of its own for it.
 */
const ENTER = `set -e
echo "$1" >/proc/sys/kernel/hostname
for other in $2; do mount -t tmpfs -o ro,size=4k none "$other"; done
cd "$1"
shift 2
exec "$@"`;

export interface HostOptions {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  /** Of the switch. */
  readonly hub: string;
  /** The network's folder. */
  readonly network: string;
  /** Names of the other hosts. */
  readonly siblings: readonly string[];
}

/** One machine of a network. */
export class Host {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  /** Its home and working directory; other hosts see an empty folder in its place, this process sees it all. */
  readonly folder: string;
  /** The namespace of the switch, where the host's port has its name. */
  readonly hub: string;
  readonly #options: HostOptions;

  constructor(options: HostOptions) {
    this.#options = options;
    this.name = options.name;
    this.address = options.address;
    this.namespace = options.namespace;
    this.hub = options.hub;
    this.folder = join(options.network, options.name);
    mkdirSync(this.folder);
  }

  /** Starts a process of this host. Its pid is the command's, for signals. */
  spawn(command: string, args: readonly string[], { env = process.env, ...options }: SpawnOptions = {}): ChildProcess {
    const { namespace, siblings, network } = this.#options;
    const enter = [
      "netns",
      "exec",
      namespace,
      "unshare",
      "--uts",
      "sh",
      "-c",
      ENTER,
      "sh",
      this.name,
      siblings.join(" "),
    ];
    return spawn("ip", [...enter, command, ...args], { ...options, cwd: network, env: { ...env, HOME: this.folder } });
  }

  /** Pulls the cable: the host sees no carrier, and nobody hears of it. */
  unplug(): void {
    this.#setPort("down");
  }

  plug(): void {
    this.#setPort("up");
  }

  /** Kills all of its processes at once. With `unplug` before, nobody hears of it, as when the power fails. */
  killAll(): void {
    killAll(this.namespace);
  }

  /**
   * Resets the TCP connections between this host and `peer`, as a router does that has lost them: both ends get
   * ECONNRESET. The number of sockets here; 0 on a kernel without CONFIG_INET_DIAG_DESTROY.
   */
  reset(peer: { readonly address: string }): number {
    const command = ["netns", "exec", this.namespace, "ss", "-K", "-Htn", "dst", peer.address];
    return execFileSync("ip", command, { encoding: "utf8" }).split("\n").filter(Boolean).length;
  }

  #setPort(state: "up" | "down"): void {
    ip("-n", this.hub, "link", "set", "dev", this.name, state);
  }
}
