import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, readdirSync, writeSync } from "node:fs";
import { describe, it } from "node:test";
import {
  childPipes,
  pipeReader,
  pipeWriter,
  type ChildPipe,
} from "../../../shared/postgres/process/pipes.ts";
import { temporaryFolder } from "../../support/volume.ts";

/** What `seq` prints, in writes of 777 bytes: no block of ours is a multiple. */
const PRINT = "seq 1 400000 | dd obs=777 status=none";
const PRINTED = createHash("sha256")
  .update(Array.from({ length: 400_000 }, (_, index) => `${index + 1}\n`).join(""))
  .digest("hex");

describe("the pipes of a child process", () => {
  it("hand over each piece as it was written, and then the end for ever", async () => {
    const output = outputOnly();
    const reader = pipeReader(output);

    writeSync(output.childs, "first");
    const first = await reader.next();
    writeSync(output.childs, "second");
    const second = await reader.next();
    closeSync(output.childs);

    assert.deepEqual([String(first), String(second)], ["first", "second"]);
    assert.deepEqual([await reader.next(), await reader.next()], [undefined, undefined]);
  });

  it("keep what was written before it was asked for", async () => {
    const [asked, drained] = [outputOnly(), outputOnly()];
    const readers = [pipeReader(asked), pipeReader(drained)] as const;
    for (const { childs } of [asked, drained]) {
      writeSync(childs, "early");
      closeSync(childs);
    }
    // Long enough for the loop to have looked at the pipes.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);

    const first = await readers[0].next();
    const second = await readers[0].next();
    let seen = "";
    await readers[1].drain((piece) => (seen += String(piece)));

    assert.deepEqual([String(first), second, seen], ["early", undefined, "early"]);
  });

  it("keep the pieces apart in memory, so that a reader may hold all of them", async () => {
    const reader = pipeReader(printing());
    const pieces: Uint8Array[] = [];

    for (let piece = await reader.next(); piece !== undefined; piece = await reader.next())
      pieces.push(piece);

    assert.equal(createHash("sha256").update(Buffer.concat(pieces)).digest("hex"), PRINTED);
  });

  it("hand over everything to a reader that keeps nothing", async () => {
    const hash = createHash("sha256");

    await pipeReader(printing()).drain((piece) => void hash.update(piece));

    assert.equal(hash.digest("hex"), PRINTED);
  });

  it("give back what such a reader throws", async () => {
    const drained = pipeReader(printing()).drain(() => {
      throw new Error("seen enough");
    });

    await assert.rejects(drained, { message: "seen enough" });
  });

  it("end a writer whose reader is gone", async () => {
    const { input, output } = childPipes();
    closeSync(output.ours);
    closeSync(output.childs);
    const writer = pipeWriter(input);
    closeSync(input.childs);

    writer.write("is anybody there?");
    const [error] = (await once(writer, "error")) as [NodeJS.ErrnoException];

    assert.equal(error.code, "EPIPE");
  });

  it("leave neither a name nor a descriptor", async () => {
    await using folder = await temporaryFolder();
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder.path;
    const descriptors = () => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
    const atFirst = descriptors();
    try {
      const { input, output } = childPipes();
      const [reader, writer] = [pipeReader(output), pipeWriter(input)];
      closeSync(input.childs);
      closeSync(output.childs);
      await Promise.all([reader.next(), once(writer.end(), "close")]);

      assert.deepEqual(readdirSync(folder.path), []);
      assert.equal(descriptors(), atFirst);
    } finally {
      process.env["TMPDIR"] = before ?? "/tmp";
    }
  });
});

function outputOnly(): ChildPipe {
  const { input, output } = childPipes();
  closeSync(input.ours);
  closeSync(input.childs);
  return output;
}

function printing(): ChildPipe {
  const output = outputOnly();
  spawn("sh", ["-c", PRINT], { stdio: ["ignore", output.childs, "inherit"] });
  closeSync(output.childs);
  return output;
}
