/** `custom` is pg_dump -Fc; the old pod wrote the other two before 2018-11-20. */
export const ARCHIVE_FORMATS = ["custom", "gzip-sql", "plain-sql"] as const;
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];
