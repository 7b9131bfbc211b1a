// The types that check a kind's lock templates, such as "account:{accountId}", against its input.
//
// Guarantees: a placeholder that is not a field of the input, or whose field is not a string,
// number or boolean, does not compile. The ledger fills them, from the payload's top-level fields.

type Placeholders<Template extends string> =
  Template extends `${string}{${infer Field}}${infer Rest}` ? Field | Placeholders<Rest> : never;

type KeyFields<Input> = {
  [Field in keyof Input]-?: Input[Field] extends string | number | boolean ? Field : never;
}[keyof Input];

type Unfilled<Template extends string, Input> = Exclude<
  Placeholders<Template>,
  KeyFields<Input> & string
>;

/** `unknown` when all placeholders can be filled, else a message that nothing is assignable to. */
export type CheckedLock<Lock, Input> = Lock extends readonly (infer Template extends string)[]
  ? CheckedTemplate<Template, Input>
  : Lock extends string
    ? CheckedTemplate<Lock, Input>
    : unknown;

/** The same for the key of a limit. */
export type CheckedConcurrency<Key extends string, Input> = CheckedTemplate<Key, Input>;

type CheckedTemplate<Template extends string, Input> = [Unfilled<Template, Input>] extends [never]
  ? unknown
  : { readonly "not a string, number or boolean field of the input": Unfilled<Template, Input> };
