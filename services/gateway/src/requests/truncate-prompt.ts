/** The last `most` ids of a prompt; all of them when undefined. */
export const truncatePrompt = (ids: readonly number[], most: number | undefined): readonly number[] =>
  most === undefined ? ids : ids.slice(-most);
