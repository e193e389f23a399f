import { removeNetwork } from "./leftovers.js";

// Removes the network with this id, for a process that was killed before it could.

const [, , id = ""] = process.argv;
removeNetwork(id);
