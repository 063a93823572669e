// Makes shared/postgres/plain-dump/row-hash-code.ts of row-hash.wat. The code is kept beside its source, so that nothing but
// Node is needed to run it; a test makes it again and compares.
import { readFile, writeFile } from "node:fs/promises";
import wabt from "wabt";

const FOLDER = "shared/postgres/plain-dump";

export async function rowHashCode(): Promise<string> {
  const toolkit = await wabt();
  const source = toolkit.parseWat("row-hash.wat", await readFile(`${FOLDER}/row-hash.wat`, "utf8"), {
    simd: true,
  });
  source.validate();
  const lines =
    Buffer.from(source.toBinary({}).buffer)
      .toString("base64")
      .match(/.{1,100}/g) ?? [];
  return `/** Made of row-hash.wat by \`npm run row-hash\`. */
export const ROW_HASH_CODE = [
${lines.map((line) => `  "${line}",\n`).join("")}].join("");
`;
}

if (import.meta.main) await writeFile(`${FOLDER}/row-hash-code.ts`, await rowHashCode());
