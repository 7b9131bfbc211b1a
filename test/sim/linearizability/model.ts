// The sequential specification that a history is checked against.
//
// Guarantees: none of its own; what a model must keep for the checker to be right stands at each
// member. States are values: a step never changes the one it was given.

export interface Model<State, Call, Outcome> {
  initial(): State;
  /**
   * The states in which the call may leave the object if this was its outcome; none: it cannot have
   * been. Several, where the outcome does not tell (an unknown one, or changes that the object
   * makes by itself): the checker tries each. For "unknown": all states that any outcome leads to.
   */
  step(state: State, call: Call, outcome: Outcome | "unknown"): readonly State[];
  /** Equal for states that allow the same futures, different for all others. */
  key(state: State): string;
  /**
   * Whether the call only looks: it may narrow down what the state can be, but whatever may follow
   * a step may also follow the state before it. Such an operation is placed at once where it
   * changes nothing. Without this member no call counts as one.
   */
  isRead?(call: Call): boolean;
}
