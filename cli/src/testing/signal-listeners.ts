const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Notes who listens for signals that end a process. The function that it returns removes listeners added since. */
export function noteSignalListeners(): () => void {
  const before = SIGNALS.map((signal) => process.listeners(signal));
  return () => {
    SIGNALS.forEach((signal, index) => {
      const added = process.listeners(signal).filter((listener) => !before[index]?.includes(listener));
      for (const listener of added) process.off(signal, listener);
    });
  };
}
