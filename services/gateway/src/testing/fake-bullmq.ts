/** In place of the module "bullmq": the queues that were opened, by name. */
export const queues = new Map<string, Queue>();

/** Failures of queues' first look at Redis. */
export const unready = new Set<Error>();

/** Keeps the jobs that it is given. */
export class Queue {
  readonly name: string;
  readonly jobs: { readonly requestId: string }[] = [];
  readonly priorities: number[] = [];
  readonly removed: string[] = [];
  failure: Error | undefined;

  /** A second queue of a name is the first. */
  constructor(name: string) {
    this.name = name;
    const known = queues.get(name);
    // biome-ignore lint/correctness/noConstructorReturn: tests hold the queue before its client opens it
    if (known !== undefined) return known;
    queues.set(name, this);
  }

  on(): this {
    return this;
  }

  toKey(type: string): string {
    return `{rhone}:${this.name}:${type}`;
  }

  async waitUntilReady(): Promise<void> {
    if (unready.size > 0) throw [...unready][0];
  }

  async add(_name: string, job: { readonly requestId: string }, { priority }: { readonly priority: number }) {
    if (this.failure !== undefined) throw this.failure;
    this.jobs.push(job);
    this.priorities.push(priority);
  }

  async remove(id: string): Promise<void> {
    this.removed.push(id);
  }

  async close(): Promise<void> {}
}
