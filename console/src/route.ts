import { signal } from "@preact/signals";

export const PAGES = ["cluster", "chat", "batches", "plan", "keys", "requests"] as const;
export type PageName = (typeof PAGES)[number];

const named = (): PageName => PAGES.find((page) => location.hash === `#/${page}`) ?? "cluster";

/** The page that the address names behind its #. */
export const page = signal<PageName>(named());

addEventListener("hashchange", () => {
  page.value = named();
});

export const TITLES: Readonly<Record<PageName, string>> = {
  cluster: "Cluster",
  chat: "Chat",
  batches: "Batches",
  plan: "Plan",
  keys: "Keys",
  requests: "Requests",
};
