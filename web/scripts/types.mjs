// Writes src/api.d.ts from the OpenAPI of this checkout's studio. PYTHON names the interpreter that has redraft.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

import openapiTS, { astToString } from 'openapi-typescript';

const python = process.env.PYTHON ?? '../.venv/bin/python';
const text = execFileSync(python, ['scripts/openapi.py'], { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
const digest = createHash('sha256').update(text).digest('hex');
const types = astToString(await openapiTS(text, { alphabetize: true }));
// tests/studio/test_studio_page.py compares the digest with the OpenAPI of the day.
writeFileSync('src/api.d.ts', `// Made by \`npm run types\`: do not edit.\n// OpenAPI sha256 ${digest}\n${types}`);
