/** The entry of package-lock.json that `name` means for the package at `from` ("" for the root); undefined: none. */
function resolveLocked(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = `${folder}${folder === "" ? "" : "/"}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

/**
 * The part of package-lock.json's `packages` that is reached from the packages called `names`, those for other
 * platforms included. Throws for a needed package that is not locked.
 */
export function lockedClosure(packages, names) {
  const found = new Map();
  const visit = (from, name, isOptional) => {
    const path = resolveLocked(packages, from, name);
    if (path === undefined) {
      if (isOptional) return;
      throw new Error(`package-lock.json has no ${name}, which ${from === "" ? "the package" : from} needs.`);
    }
    if (found.has(path)) return;
    const { dev: _, ...locked } = packages[path];
    found.set(path, locked);
    for (const dependency of Object.keys(locked.dependencies ?? {})) visit(path, dependency, false);
    for (const dependency of Object.keys(locked.optionalDependencies ?? {})) visit(path, dependency, true);
  };
  for (const name of names) visit("", name, false);
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
