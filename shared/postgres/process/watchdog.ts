export type Watchdog = {
  /** From now on the other side must move; each call starts the time anew. */
  waiting(): void;
  /** The other side moved, or this process takes its time. */
  busy(): void;
  clear(): void;
};

/** Calls `onStall` when `waiting` was called and then nothing else for `limitMs`. */
export function watchdog(limitMs: number, onStall: () => void): Watchdog {
  let isWaiting = false;
  // One timer that is put off costs far less than a timer for each chunk.
  const timer = setTimeout(() => {
    if (isWaiting) onStall();
    else timer.refresh();
  }, limitMs);
  return {
    waiting() {
      isWaiting = true;
      timer.refresh();
    },
    busy() {
      isWaiting = false;
    },
    clear: () => clearTimeout(timer),
  };
}
