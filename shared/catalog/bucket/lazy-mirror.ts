import { lazily } from "../../lazily.ts";
import type { Mirror } from "../mirror.ts";

/** A mirror that is made when it is first asked for something: its SDK must not delay the waking of a function. */
export function lazyMirror(make: () => Promise<Mirror>): Mirror {
  const mirror = lazily(make);
  return {
    list: async (...given) => (await mirror()).list(...given),
    copyIn: async (...given) => (await mirror()).copyIn(...given),
    mark: async (...given) => (await mirror()).mark(...given),
    rewrite: async (...given) => (await mirror()).rewrite(...given),
    open: async (...given) => (await mirror()).open(...given),
    find: async (...given) => (await mirror()).find(...given),
    remove: async (...given) => (await mirror()).remove(...given),
    finishRemoval: async (...given) => (await mirror()).finishRemoval(...given),
    sweep: async (...given) => (await mirror()).sweep(...given),
  };
}
