import { launcherName } from "../config.js";

/** Where a cluster admits machines unless it says otherwise. */
export const DOOR_PORT = 7100;

/** What to paste on another machine, where the data directory of this one means nothing. `door`: host:port. */
export const joinCommand = (door: string, token: string): string => `${launcherName()} join ${door} ${token}`;
