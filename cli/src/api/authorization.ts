/** The header for a gateway that asks for an API key; none without a key. */
export const authorization = (apiKey: string | undefined): Readonly<Record<string, string>> =>
  apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
