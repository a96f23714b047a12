#!/usr/bin/env node
import '../dist/mlog.js';
