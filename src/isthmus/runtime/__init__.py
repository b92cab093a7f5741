"""Where everything is put together: settings, the database, roads, the engine and its timetable. Settings stop here."""
