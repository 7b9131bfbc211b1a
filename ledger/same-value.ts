// Whether two plain values hold the same: numbers, texts, bytes, lists and records of them.
//
// Guarantees: a field that is added to what is compared is compared, too. Total for what a command
// can hold: NaN is itself, 0 is not -0.

export function isSameValue(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object") return false;
  if (one === null || other === null) return false;
  if (Array.isArray(one)) return Array.isArray(other) && isSameList(one, other);
  if (one instanceof Uint8Array) return other instanceof Uint8Array && isSameList(one, other);
  if (Array.isArray(other) || other instanceof Uint8Array) return false;
  return isSameRecord(one as Fields, other as Fields);
}

type Fields = Readonly<Record<string, unknown>>;

function isSameList(one: ArrayLike<unknown>, other: ArrayLike<unknown>): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (!isSameValue(one[i], other[i])) return false;
  return true;
}

function isSameRecord(one: Fields, other: Fields): boolean {
  const names = Object.keys(one);
  if (Object.keys(other).length !== names.length) return false;
  for (const name of names) {
    const value = other[name];
    // What is undefined may be absent; all else is there.
    if (value === undefined && !Object.hasOwn(other, name)) return false;
    if (!isSameValue(one[name], value)) return false;
  }
  return true;
}
