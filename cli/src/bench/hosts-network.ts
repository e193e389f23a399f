import { type BreakableNetwork, cut, type Host, mend } from "@rhone/bench";

/** Breaks what is between hosts. What is done twice lasts until both are undone. */
export class HostsNetwork implements BreakableNetwork {
  readonly hosts: readonly string[];
  readonly #hosts: Readonly<Record<string, Host>>;
  /** How often each thing is done at the moment. */
  readonly #times = new Map<string, number>();

  constructor(hosts: Readonly<Record<string, Host>>) {
    this.#hosts = hosts;
    this.hosts = Object.keys(hosts);
  }

  cut(from: string, to: string): () => void {
    const [one, other] = [this.#host(from), this.#host(to)];
    return this.#during(`${from} ${to}`, { begin: () => cut(one, other), end: () => mend(one, other) });
  }

  unplug(name: string): () => void {
    const host = this.#host(name);
    return this.#during(name, { begin: () => host.unplug(), end: () => host.plug() });
  }

  #during(what: string, { begin, end }: { readonly begin: () => void; readonly end: () => void }): () => void {
    const times = this.#times.get(what) ?? 0;
    this.#times.set(what, times + 1);
    if (times === 0) begin();
    return () => {
      const left = (this.#times.get(what) ?? 1) - 1;
      this.#times.set(what, left);
      if (left === 0) end();
    };
  }

  #host(name: string): Host {
    const host = this.#hosts[name];
    if (host === undefined) throw new RangeError(`no host ${name}`);
    return host;
  }
}
