/** Turns a name as the scanners have it, one character a byte, into text; undefined where the bytes are none. */
export type ReadsName = (bytes: string) => string | undefined;

/** How the encodings of a server are called elsewhere (https://encoding.spec.whatwg.org). SQL_ASCII may be anything. */
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
  // Characters that it has besides are no text here.
  EUC_JIS_2004: "euc-jp",
  EUC_CN: "gbk",
  EUC_KR: "euc-kr",
};
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
    try {
      return decoder.decode(Buffer.from(bytes, "latin1"));
    } catch {
      return undefined;
    }
  };
}

/** An unknown encoding is taken for UTF-8: names in ASCII are the same in all of them. */
function createDecoder(label: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  }
}
