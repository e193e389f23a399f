import type { Reply, Sender } from "./sender.js";

/** What an attacker knows of the cluster. */
export interface AttackedModel {
  readonly name: string;
  readonly vocabSize: number;
  readonly contextLength: number;
}

/** One kind of costly request, in an amount that a single client can send. */
export interface Attack {
  /** kebab-case. */
  readonly name: string;
  readonly description: string;
  /** Part of the short run, which the tests make. */
  readonly isQuick?: boolean;
  /** Sends it. Resolves when everything is answered, or was given up. */
  readonly send: (sender: Sender, model: AttackedModel) => Promise<readonly Reply[]>;
}
