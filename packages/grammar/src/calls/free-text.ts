/** A grammar of any text that cannot be taken for JSON: its first character opens neither an object nor a list. */
export const FREE_TEXT = 'root ::= "" | [^{\\[ \\t\\r\\n] [^\\x00]*';
