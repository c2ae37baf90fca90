"""Files of requests that can wait: a door beside the server. OpenAI's batch file format in and out."""
