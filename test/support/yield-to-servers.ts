/**
 * Loaded before each test file: Temporal's server and Postgres, which all files share, come before it where processors are short.
 * Behind six files they would stand still for seconds, and what a story is told about a turn would be about that.
 */
import { setPriority } from 'node:os';

const behindServers = 5;

setPriority(behindServers);
