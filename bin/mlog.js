#!/usr/bin/env node
// A Node that is too old for mlog has to parse this file to say so. Hence no static import, no
// top-level await, and nothing newer than ES2015 but `import()`.
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 20 || (major === 20 && minor >= 19)) {
  import('../dist/mlog.js').catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error('mlog: It is not built yet. Run `npm ci` in its folder, which builds it.');
    process.exitCode = 1;
  });
} else {
  console.error(
    `mlog: This is Node ${process.versions.node}; mlog needs Node 20.19 or later. ` +
      'Install a newer one from https://nodejs.org.',
  );
  process.exitCode = 1;
}
