/** How often a worker says that it lives, and after how long a silence it counts as lost. */
export const HEARTBEAT_MS = 1000;
export const LOST_AFTER_MS = 3500;
