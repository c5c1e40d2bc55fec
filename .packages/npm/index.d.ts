/** The extension's path, for loadExtension() of better-sqlite3 and node:sqlite. Throws where there is none. */
export function getLoadablePath(): string;

/** The entry point to name for a connection that runs statements of other people: it registers only what reads. */
export const readOnlyEntryPoint: 'sqlite3_taskresults_readonly_init';
