// Page tokens as texts in base64url: what all of them have in common.
//
// Guarantees: a text has one token, and what is none of ours has no text: neither other characters
// nor bytes that are not UTF-8 are passed over.
// Does not own: what the texts say (page-token.ts and the like).

export function tokenOfText(text: string): string {
  return Buffer.from(text, "utf8").toString("base64url");
}

/** null: it is no token, or longer than any of ours. */
export function textOfToken(token: string, lengthMax: number): string | null {
  if (token.length > lengthMax) return null;
  const text = Buffer.from(token, "base64url").toString("utf8");
  return tokenOfText(text) === token ? text : null;
}
