// Where the extension is: in the package of this platform, which npm installed beside this one.
'use strict';

const packages = { 'linux-x64': 'taskresults-linux-x64', 'linux-arm64': 'taskresults-linux-arm64' };

function refuse(why) {
  throw new Error(`taskresults: ${why}. The library can be built from its sources: see the README.`);
}

/** The extension's path, for loadExtension() of better-sqlite3 and node:sqlite. */
function getLoadablePath() {
  const platform = `${process.platform}-${process.arch}`;
  const name = packages[platform];
  if (!name) refuse(`there is no package for ${platform}, only for ${Object.keys(packages).join(' and ')}`);
  if (!process.report.getReport().header.glibcVersionRuntime) refuse('this Linux has no glibc, which the package needs');
  try {
    return require.resolve(`${name}/taskresults.so`);
  } catch {
    return refuse(`the package ${name} is not installed; was npm told to leave out optional dependencies?`);
  }
}

/** The entry point to name for a connection that runs statements of other people: it registers only what reads. */
const readOnlyEntryPoint = 'sqlite3_taskresults_readonly_init';

module.exports = { getLoadablePath, readOnlyEntryPoint };
