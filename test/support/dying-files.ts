import * as promises from "../../shared/catalog/volume/volume-calls.ts";
import type { FileHandle } from "node:fs/promises";
import type { Files } from "../../shared/catalog/volume/files.ts";

type DyingFiles = {
  readonly files: Files;
  readonly isDead: () => boolean;
};

type Call = (...args: unknown[]) => Promise<unknown>;

/** Of a file that is open; what reads is let through until the end. */
const CHANGES_OF_HANDLE = new Set(["sync", "write", "writeFile"]);

/**
 * The file system of a process that is killed before the `at`-th call that changes something: neither that one nor any
 * after it is carried out, but half of what is being written to a file. `withLinks: false` is a volume without hard links.
 */
export function dyingFiles(at: number, { withLinks }: { readonly withLinks: boolean }): DyingFiles {
  let calls = 0;
  const isDead = () => calls >= at;

  function mortal(call: Call, lastWords: Call = async () => undefined): Call {
    return async (...args) => {
      const wasDead = isDead();
      calls += 1;
      if (!wasDead && isDead()) await lastWords(...args);
      if (isDead()) throw new Error("the process is dead");
      return call(...args);
    };
  }

  async function open(...args: Parameters<Files["open"]>): Promise<FileHandle> {
    const isReading = !String(args[1]).includes("w");
    if (isReading && isDead()) throw new Error("the process is dead");
    const real = promises.open as Call;
    return mortalHandle((await (isReading ? real(...args) : mortal(real)(...args))) as FileHandle, mortal);
  }

  const changing = ["mkdir", "rename", "rmdir", "unlink"] as const;
  const real: Files = promises;
  const calling = Object.fromEntries(changing.map((name) => [name, mortal(real[name] as Call)]));
  const refused = () => Promise.reject(Object.assign(new Error("no hard links here"), { code: "ENOTSUP" }));
  const link = withLinks ? mortal(promises.link as Call) : refused;
  return { files: { ...promises, ...calling, link, open } as unknown as Files, isDead };
}

function mortalHandle(handle: FileHandle, mortal: (call: Call, lastWords?: Call) => Call): FileHandle {
  return new Proxy(handle, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const bound = value.bind(target) as Call;
      if (!CHANGES_OF_HANDLE.has(String(property))) return bound;
      const half: Call = async (data) =>
        target.writeFile((data as string).slice(0, (data as string).length / 2));
      return property === "writeFile" ? mortal(bound, half) : mortal(bound);
    },
  });
}
