"""A stage for the real Claude Code, on which nothing leaves the machine.

`messages_api`   the stand-in for the Messages API: each prompt is answered as a script says
`environment`    where Claude Code is, and a home, a project and variables that are a run's own
`recording`      launchers that write down, byte for byte, what passes on either side of a command
`raw_client`     a client that speaks stream-json itself, line by line
`stage`          all of these together: what a scenario is played on
`scenarios`      what is played: functions from a stage to the messages that the client saw
`sameness`       what makes two runs of one scenario equal although ids, times and costs differ
"""
