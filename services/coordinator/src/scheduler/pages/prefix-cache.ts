import { chainOf, extendChain, type PrefixChain } from "@rhone/common";
import { firstVisiblePosition } from "@rhone/planner";
import { HeldLinks } from "./held-links.js";
import type { PagePool } from "./page-pool.js";

/** A page full of tokens behind the tokens of its ancestors. It lives while it has a page, a descendant or a pin. */
interface PrefixNode {
  readonly parent: PrefixNode | null;
  /** Hash of its tokens; its key in the parent's children. */
  readonly key: number;
  readonly tokens: Int32Array;
  /** The tokens from the beginning to this page's end. */
  readonly chain: PrefixChain;
  /** The links that end in this page. */
  readonly links: readonly string[];
  readonly children: Map<number, PrefixNode>;
  page: number | null;
  pins: number;
}

/** How far a sequence has registered its pages in the tree. */
export type PrefixCursor = PrefixNode;

/** The part of a prompt that the cache holds. */
export interface PrefixHit {
  /** Positions [0, length) need not be computed. */
  readonly length: number;
  /** Entries [first, first + pages.length) of the page table; no row at `length` or later sees the ones before. */
  readonly first: number;
  readonly pages: readonly number[];
  /**
   * The page whose first rows are the rest of `length`; copied before a row behind them is written. Null without one.
   */
  readonly copyFrom: number | null;
  readonly cursor: PrefixCursor;
}

/** The longest common beginning is looked for among this many continuations of a prefix. */
const MOST_COMPARED = 32;

export interface PrefixCacheOptions {
  readonly pages: PagePool;
  readonly pageSize: number;
  /** Positions that a token sees, itself included; 0 = all. */
  readonly slidingWindow: number;
  /** Told of every page that comes or goes. */
  readonly links?: HeldLinks;
}

/**
 * Maps tokens to the pages that hold their K/V: a tree whose edges are full pages of tokens, found by hash and compared
 * token by token. K/V depends on all earlier tokens, so a page is identified by its path from the root. Each salt has a
 * root of its own, so that sequences of different salts share nothing.
 */
export class PrefixCache {
  readonly #options: PrefixCacheOptions;
  readonly #links: HeldLinks;
  readonly #roots = new Map<string, PrefixNode>();
  readonly #salts = new Map<PrefixNode, string>();
  readonly #nodeOf = new Map<number, PrefixNode>();

  constructor(options: PrefixCacheOptions) {
    this.#options = options;
    this.#links = options.links ?? new HeldLinks();
  }

  /** The cursor of a sequence that has registered nothing. Pinned until `unpin`. */
  root(salt: string): PrefixCursor {
    const root = this.#roots.get(salt) ?? newRoot(salt);
    this.#roots.set(salt, root);
    this.#salts.set(root, salt);
    root.pins++;
    return root;
  }

  /** How many of `tokens`, at most `limit`, are in full pages that `acquire` would find at this moment. */
  lengthOf(salt: string, tokens: Int32Array, limit: number): number {
    const root = this.#roots.get(salt);
    return root === undefined ? 0 : this.#usable(this.#walk(root, tokens, limit)) * this.#options.pageSize;
  }

  /**
   * The longest prefix of `tokens`, at most `limit` long, whose visible pages are all cached; null when there is none.
   * Retains its pages and pins its cursor. With page size 4, no window and [1 2 3 4] [5 6 7 8] cached, the tokens
   * 1 2 3 4 5 6 9 with limit 6 give length 6, the first page, and the second to be copied.
   */
  acquire(salt: string, tokens: Int32Array, limit: number): PrefixHit | null {
    const root = this.#roots.get(salt);
    if (root === undefined) return null;
    const path = this.#walk(root, tokens, limit);
    const count = this.#usable(path);
    const hit = this.#hit(path[count - 1] ?? root, path.slice(0, count), tokens.subarray(0, limit));
    if (hit.length === 0) return null;
    this.#options.pages.retain(hit.pages);
    if (hit.copyFrom !== null) this.#options.pages.retain([hit.copyFrom]);
    hit.cursor.pins++;
    return hit;
  }

  /**
   * Registers `page`, which the caller holds, for `tokens` (one page full) behind those of `cursor`. Moves the pin and
   * returns the new cursor. Equal tokens keep the page that they have. Null when other tokens have the same hash.
   */
  insert(cursor: PrefixCursor, tokens: Int32Array, page: number): PrefixCursor | null {
    const key = hashOf(tokens);
    const known = cursor.children.get(key);
    if (known !== undefined && !equal(known.tokens, tokens)) {
      this.unpin(cursor);
      return null;
    }
    const node = known ?? newNode(cursor, key, tokens.slice());
    cursor.children.set(key, node);
    node.pins++;
    this.unpin(cursor);
    if (node.page === null) this.#give(node, page);
    return node;
  }

  unpin(cursor: PrefixCursor): void {
    cursor.pins--;
    this.#prune(cursor);
  }

  /** The pool has evicted the page. */
  forget(page: number): void {
    const node = this.#nodeOf.get(page);
    if (node === undefined) return;
    this.#nodeOf.delete(page);
    node.page = null;
    this.#links.delete(node.links);
    this.#prune(node);
  }

  #give(node: PrefixNode, page: number): void {
    node.page = page;
    this.#nodeOf.set(page, node);
    this.#links.add(node.links);
    this.#options.pages.mark(page);
  }

  #walk(root: PrefixNode, tokens: Int32Array, limit: number): readonly PrefixNode[] {
    const { pageSize } = this.#options;
    const path: PrefixNode[] = [];
    for (let end = pageSize; end <= limit; end += pageSize) {
      const wanted = tokens.subarray(end - pageSize, end);
      const child: PrefixNode | undefined = (path.at(-1) ?? root).children.get(hashOf(wanted));
      if (child === undefined || !equal(child.tokens, wanted)) break;
      path.push(child);
    }
    return path;
  }

  /** The longest part of the path after which every page that later rows see is cached. */
  #usable(path: readonly PrefixNode[]): number {
    let best = 0;
    let present = 0;
    path.forEach((node, index) => {
      present = node.page === null ? 0 : present + 1;
      if (present >= index + 1 - this.#firstEntry(index + 1)) best = index + 1;
    });
    return best;
  }

  #hit(cursor: PrefixNode, path: readonly PrefixNode[], tokens: Int32Array): PrefixHit {
    const { pageSize } = this.#options;
    const whole = path.length * pageSize;
    const partial = bestContinuation(cursor, tokens.subarray(whole, whole + pageSize));
    const first = this.#firstEntry(path.length);
    const pages = path.slice(first).map(({ page }) => page ?? 0);
    return { length: whole + partial.length, first, pages, copyFrom: partial.page, cursor };
  }

  /** The first entry that the row behind `entries` full pages sees. */
  #firstEntry(entries: number): number {
    const { pageSize, slidingWindow } = this.#options;
    return Math.min(entries, Math.floor(firstVisiblePosition(entries * pageSize, slidingWindow) / pageSize));
  }

  #prune(from: PrefixNode): void {
    let node: PrefixNode | null = from;
    while (node !== null && node.page === null && node.pins === 0 && node.children.size === 0) {
      const { parent, key }: PrefixNode = node;
      if (parent === null) this.#dropRoot(node);
      else if (parent.children.get(key) === node) parent.children.delete(key);
      node = parent;
    }
  }

  #dropRoot(root: PrefixNode): void {
    this.#roots.delete(this.#salts.get(root) ?? "");
    this.#salts.delete(root);
  }
}

function newRoot(salt: string): PrefixNode {
  const empty = { key: 0, tokens: new Int32Array(), chain: chainOf(salt), links: [] };
  return { parent: null, ...empty, children: new Map(), page: null, pins: 0 };
}

function newNode(parent: PrefixNode, key: number, tokens: Int32Array): PrefixNode {
  return { parent, key, tokens, ...extendChain(parent.chain, tokens), children: new Map(), page: null, pins: 0 };
}

/** The child whose page shares the longest beginning with `tokens`. */
function bestContinuation(
  { children }: PrefixNode,
  tokens: Int32Array,
): { readonly length: number; readonly page: number | null } {
  let best: { length: number; page: number | null } = { length: 0, page: null };
  let compared = 0;
  for (const child of children.values()) {
    if (++compared > MOST_COMPARED) break;
    const length = child.page === null ? 0 : commonLength(child.tokens, tokens);
    if (length > best.length) best = { length, page: child.page };
  }
  return best;
}

function commonLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && commonLength(a, b) === a.length;
}

/** FNV-1a over the ids. */
function hashOf(tokens: Int32Array): number {
  let hash = 2166136261;
  for (const token of tokens) hash = Math.imul(hash ^ token, 16777619);
  return hash;
}
