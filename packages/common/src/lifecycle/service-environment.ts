/**
 * How a launcher starts a service, so that memory which one costly request took comes back. glibc keeps what threads
 * freed in an arena for each of them, and raises the size from which it gives memory back with each large piece.
 * Variables that are set already stay as they are.
 */
export const serviceEnvironment = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  MALLOC_ARENA_MAX: "2",
  MALLOC_TRIM_THRESHOLD_: "131072",
  ...env,
});
