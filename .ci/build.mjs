// Builds dist/ (what is published: one bundle per entry, what is loaded later split out, packages left external) and build/ (src and
// test, file by file, for the test runner and the tools under test/). `npm run build` runs it; prepare.mjs when files changed.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const common = { absWorkingDir: root, format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning' }

/** The library, the broker, and the workers they start by file name. */
const modules = ['src/index.ts', 'src/cli/tsmq.ts', 'src/access/bcrypt-worker.ts', 'src/store/lmdb-worker.ts']
/** What configurations load by name. */
const plugins = ['src/plugins/dynamic-security/dynamic-security.ts', 'src/plugins/payload-log.ts']
/** Commands that scripts call in a loop: Node reads one small CommonJS file in two thirds of the time it takes for modules. */
const commands = ['src/cli/tsmq-pub.ts', 'src/cli/tsmq-sub.ts', 'src/cli/tsmq-passwd.ts']

rmSync(join(root, 'dist'), { recursive: true, force: true })
rmSync(join(root, 'build'), { recursive: true, force: true })
/** Read at every start of a command, or modules, which Node 20 does not `require`. */
const bundled = ['yargs', 'chalk', 'ora']
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const external = Object.keys(dependencies).filter((name) => !bundled.includes(name))

/** Of yargs only its parser is needed; what lays out its help takes longer to load than a command runs. */
const parserOnly = {
  name: 'parser-only',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /./ }, async ({ path, pluginData, importer, ...rest }) => {
      if (pluginData === 'asked' || !importer.includes(join('node_modules', 'yargs', 'helpers'))) return undefined
      return { ...(await resolve(path, { ...rest, importer, pluginData: 'asked' })), sideEffects: false }
    })
  },
}

await Promise.all([
  // One at a time: what two commands share would be split off into files that each of them has to find and read.
  ...modules.map((entry) =>
    build({
      ...common,
      plugins: [parserOnly],
      entryPoints: [entry],
      outdir: 'dist',
      entryNames: '[name]',
      chunkNames: 'chunks/[name]-[hash]',
      bundle: true,
      splitting: true,
      external,
      sourcemap: false,
    }),
  ),
  build({ ...common, entryPoints: plugins, outdir: 'dist/plugins', entryNames: '[name]', bundle: true, external }),
  build({
    ...common,
    entryPoints: commands,
    plugins: [parserOnly],
    format: 'cjs',
    outdir: 'dist',
    entryNames: '[name]',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    external,
    // The names in a crash are those of the sources, and a line of it fits a screen.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 200,
    // Code that V8 takes from what was kept cannot `import()`.
    supported: { 'dynamic-import': false },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'moduleUrl' },
  }),
  build({
    ...common,
    entryPoints: ['src/**/*.ts', 'test/**/*.ts'],
    outdir: 'build',
    outbase: '.',
    sourcemap: 'inline',
  }),
])

execFileSync(process.execPath, ['bin/tsmq', '--run', '--', process.execPath, '.ci/keep-compiled.cjs'], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
})

// The types of the library, for TypeScript programs that use it.
const settings = [
  '--ignoreConfig',
  '--target',
  'es2023',
  '--module',
  'nodenext',
  '--types',
  'node',
  '--strict',
  '--noCheck',
]
const output = ['--declaration', '--emitDeclarationOnly', '--rootDir', 'src', '--outDir', 'dist/types']
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
execFileSync(process.execPath, [compiler, ...settings, ...output, 'src/index.ts', ...plugins], {
  cwd: root,
  stdio: 'inherit',
})
