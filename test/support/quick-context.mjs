// Jest's environment for Node, in a context whose global object is an ordinary one.
//
// Guarantees: each file has a context and globals of its own, as in jest's. There the global object
// is a proxy, which every mention of `Math`, `Number` or `Uint8Array` in any code of a test goes
// through: code that computes takes three times as long, and a test of 30 seconds becomes 90.
// Does not own: what the globals are (jest-environment-node).

import vm from "node:vm";
import { TestEnvironment } from "jest-environment-node";

export default class QuickContext extends TestEnvironment {
  constructor(config, context) {
    const { createContext } = vm;
    // Jest offers no way to hand it one; it makes exactly one, while it is constructed.
    vm.createContext = () => createContext(vm.constants.DONT_CONTEXTIFY);
    try {
      super(config, context);
    } finally {
      vm.createContext = createContext;
    }
  }
}
