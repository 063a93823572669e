import { isAscii } from "node:buffer";

/** Turns a name as the scanners have it, one character a byte, into text; undefined where the bytes are none. */
export type ReadsName = (bytes: string) => string | undefined;

/**
 * How the encodings of a server are called elsewhere (https://encoding.spec.whatwg.org). SQL_ASCII may be anything; EUC_TW and
 * EUC_JIS_2004 are none of those there.
 */
const LABELS: Readonly<Record<string, string>> = {
  SQL_ASCII: "utf-8",
  LATIN2: "iso-8859-2",
  LATIN3: "iso-8859-3",
  LATIN4: "iso-8859-4",
  LATIN5: "iso-8859-9",
  LATIN6: "iso-8859-10",
  LATIN7: "iso-8859-13",
  LATIN8: "iso-8859-14",
  LATIN9: "iso-8859-15",
  LATIN10: "iso-8859-16",
  KOI8R: "koi8-r",
  KOI8U: "koi8-u",
  WIN866: "ibm866",
  EUC_JP: "euc-jp",
  EUC_CN: "gbk",
  EUC_KR: "euc-kr",
};
/** What the server reads as other characters. */
const OTHERWISE: ReadonlyMap<string, RegExp> = new Map([
  ["LATIN5", /[\x80-\x9f]/],
  ["KOI8U", /[\xae\xbe]/],
  ["EUC_JP", /\x8f\xa2\xc3/],
  ["EUC_CN", /\xa1[\xa4\xaa]/],
]);
const HEAD_BYTES = 4_096;
const CLIENT_ENCODING = /^SET client_encoding = '(\w+)';/m;

/** Finds in the head of a dump in which encoding it is: pg_dump says so before it names anything. */
export function dumpEncoding(): { push(chunk: Uint8Array): void; readonly readName: ReadsName } {
  let head = "";
  let readName: ReadsName | undefined;
  return {
    push(chunk) {
      if (head.length < HEAD_BYTES) head += Buffer.from(chunk).toString("latin1", 0, HEAD_BYTES);
    },
    readName(bytes) {
      readName ??= reader(CLIENT_ENCODING.exec(head)?.[1] ?? "UTF8");
      return readName(bytes);
    },
  };
}

function reader(encoding: string): ReadsName {
  if (encoding === "LATIN1") return (bytes) => bytes;
  const decoder = createDecoder(
    LABELS[encoding] ?? encoding.replace(/^WIN/, "windows-").replaceAll("_", "-").toLowerCase(),
  );
  return (bytes) => {
    if (OTHERWISE.get(encoding)?.test(bytes) === true) return undefined;
    try {
      return decoder.decode(Buffer.from(bytes, "latin1"));
    } catch {
      return undefined;
    }
  };
}

/** Names in ASCII are the same in all encodings; bytes beyond it may read like another, such as UTF-8, and be none. */
function createDecoder(label: string): Pick<InstanceType<typeof TextDecoder>, "decode"> {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    return { decode: decodeAscii };
  }
}

function decodeAscii(bytes: Buffer): string {
  if (!isAscii(bytes)) throw new TypeError("not ASCII");
  return bytes.toString("latin1");
}
