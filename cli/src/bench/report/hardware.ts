import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";

/** What a figure was measured on. */
export interface Hardware {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
}

export function describeHardware(): Hardware {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${arch()} ${release()}`,
    node: process.version,
  };
}
