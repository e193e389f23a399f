import { ip } from "./leftovers.js";

/** Why hosts can't be made on this machine, or null: it is not Linux, has no iproute2, or this user may not. */
export function whyNoHosts(): string | null {
  if (process.platform !== "linux") return "network namespaces exist on Linux alone";
  const namespace = `rh-${process.pid}-0-probe`;
  try {
    ip("netns", "add", namespace);
    try {
      ip("-n", namespace, "link", "add", "one", "type", "veth", "peer", "name", "other");
      ip("-n", namespace, "link", "add", "switch", "type", "bridge");
      ip("netns", "exec", namespace, "unshare", "--uts", "true");
    } finally {
      ip("netns", "delete", namespace);
    }
    return null;
  } catch (error) {
    return `network namespaces can't be made here: ${(error as Error).message.trim().split("\n").join(" ")}`;
  }
}
